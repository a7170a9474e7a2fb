"""Ways out: what to write instead of something that a profile does not take, or takes under another name."""
