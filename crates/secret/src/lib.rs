//! How secrets are fetched from those who manage them: Vault and AWS Secrets Manager, off the path of requests.
//!
//! A [`Reference`] (`$secret://vault/1/path/key`) says where a secret is. A [`Keeper`] is told which ones are wanted
//! and who manages them; it fetches each when it is first wanted and again in the background, keeps the last value
//! of one whose manager is away, and tells when a value is another.

mod aws;
mod batch;
mod call;
mod keeper;
mod reference;
mod vault;

pub use keeper::{Keeper, Settings};
pub use reference::Reference;
