//! What every client shares: operation, dispatch, retry, errors, credentials, endpoints.
