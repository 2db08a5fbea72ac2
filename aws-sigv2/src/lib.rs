//! AWS Signature Version 2, sans-IO: S3 headers, presigned links, POST policies and the Query API.
