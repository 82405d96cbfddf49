//! TLS to upstreams: whose certificates are trusted, and what the gateway shows of itself.
