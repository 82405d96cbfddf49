//! The plugins Lockgate ships: one file each, and this list.

mod aws_lambda;
mod azure_functions;
mod function;
mod ip_restriction;
mod key_auth;
mod openfunction;
mod openwhisk;
mod prometheus;

use lockgate_plugin::Registry;

/// Every plugin of this program.
pub fn registry() -> Registry {
    Registry::new()
        .with::<aws_lambda::AwsLambda>()
        .with::<azure_functions::AzureFunctions>()
        .with::<ip_restriction::IpRestriction>()
        .with::<key_auth::KeyAuth>()
        .with::<openfunction::OpenFunction>()
        .with::<openwhisk::OpenWhisk>()
        .with::<prometheus::Prometheus>()
}
