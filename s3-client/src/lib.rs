//! An S3 client for very many small objects.
