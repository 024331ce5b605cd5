"""What the store stands on: files and objects that appear whole, checksums, shards, packs of shards, claims."""
