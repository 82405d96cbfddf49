//! The Admin API, called in-process.
