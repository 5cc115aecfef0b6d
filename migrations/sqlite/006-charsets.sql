-- least release: 1

-- The character set of a body that is not UTF-8, by its WHATWG name; NULL: UTF-8.
ALTER TABLE events ADD COLUMN charset TEXT;
