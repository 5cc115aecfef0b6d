-- least release: 1

-- Ordered by lead alone, the index grows with the events, and each new one changes a page somewhere in it, which is also
-- written whole to the log once after each checkpoint. In blocks of 1,024 events, new entries land beside each other, and
-- whoever looks for a lead looks into each block. Of the hash, because an index entry has to fit a third of a page.
DROP INDEX events_by_lead;
CREATE INDEX events_by_block ON events ((seq >> 10), hashtextextended(lead, 0)) WHERE lead IS NOT NULL;
