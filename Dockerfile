# Nothing here needs BuildKit, so that Docker's classic builder, Buildah and Kaniko build it too.

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No package that runs in production needs an install script, so none gets to run.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26-slim AS source
WORKDIR /app
COPY package.json LICENSE ./
COPY bin ./bin
COPY src ./src
COPY migrations ./migrations
COPY handlers ./handlers
# A checkout made under a strict umask would else be unreadable to the user that runs it.
RUN chmod -R a+rX,go-w /app

FROM node:26-slim
LABEL org.opencontainers.image.title="instantly-webhook-receiver" \
      org.opencontainers.image.description="Receives Instantly webhooks: proves the caller, stores before it answers, audits every request." \
      org.opencontainers.image.licenses="MIT"

# SQLite's own temporary files go where there is room for them: the root file system may be read-only, /tmp absent. Requests are
# short-lived, so a smaller space for young objects costs no speed and saves 40 MB.
ENV NODE_ENV=production \
    DATABASE_URL=sqlite:/data/receiver.db \
    SPILL_DATABASE_URL=sqlite:/data/spill.db \
    HANDLERS_DIR=/app/handlers \
    SQLITE_TMPDIR=/data \
    NODE_OPTIONS=--max-semi-space-size=8

# Before VOLUME, which drops later changes. Group 0 serves platforms that run every container under a user id of their own.
RUN install -d -m 0770 -o 1000 -g 0 /data

# Owned by root: what runs cannot rewrite itself.
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=source /app ./

VOLUME ["/data"]
# By number, because Kubernetes' runAsNonRoot cannot tell that a name is not root.
USER 1000:1000
EXPOSE 3000

HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/healthz', { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Exec form, so that SIGTERM reaches Node itself. Node does not reap orphans: where a handler starts programs of its own,
# run with `docker run --init` (docker-compose.yml does).
ENTRYPOINT ["node", "--disable-sigusr1", "/app/bin/instantly-receiver.js"]
CMD ["serve"]
