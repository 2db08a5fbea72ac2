//! S3 and SimpleDB in one process, in memory, checking signatures by itself.
