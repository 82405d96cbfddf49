//! The plugins Lockgate ships: one file each, and this list.

mod aws_lambda;
mod function;

use lockgate_plugin::Registry;

/// Every plugin of this program.
pub fn registry() -> Registry {
    Registry::new().with::<aws_lambda::AwsLambda>()
}
