//! The Admin API from outside: what it answers, in APISIX's words, and the documented commands as printed.

mod documentation;
mod https;
mod kinds;
mod metadata;
mod pages;
mod resources;
