import { collectDefaultMetrics, Gauge, type Metric, type OpenMetricsContentType, Registry } from 'prom-client';

/** The same metrics in the two formats a scraper may ask for: prom-client ties the format to the registry. */
export interface Registries {
  readonly prometheus: Registry;
  readonly openMetrics: Registry<OpenMetricsContentType>;
}

export function createRegistries(): Registries {
  const prometheus = new Registry();
  const openMetrics = new OpenMetricsRegistry();
  openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: prometheus });
  for (const metric of prometheus.getMetricsAsArray()) {
    // Gauges by the name of a counter, which `promtool check metrics` complains of; the ones without the ending say the same.
    if (isGauge(metric) && metric.name.endsWith('_total')) {
      prometheus.removeSingleMetric(metric.name);
      continue;
    }
    // The types speak of stored metrics here; at run time these are the metrics themselves, as registerMetric wants.
    openMetrics.registerMetric(metric as unknown as Parameters<typeof openMetrics.registerMetric>[0]);
  }
  return { prometheus, openMetrics };
}

/** Writing OpenMetrics, prom-client takes `_total` off a counter's name for good, and the other format would then be
 * written without it. So this registry holds views, which keep their own name and share everything else. */
class OpenMetricsRegistry extends Registry<OpenMetricsContentType> {
  override registerMetric<T extends string>(metric: Metric<T>): void {
    super.registerMetric(Object.create(metric) as Metric<T>);
  }
}

/** The types speak of stored metrics here; at run time these are the metrics themselves. */
function isGauge(metric: object): boolean {
  return metric instanceof Gauge;
}

/** For the `registers` option of a metric. */
export function both({ prometheus, openMetrics }: Registries): Registry[] {
  // The types tie a metric to one format; at run time it is the same in both.
  return [prometheus, openMetrics as unknown as Registry];
}
