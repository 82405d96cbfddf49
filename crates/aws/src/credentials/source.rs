//! Where credentials come from: an origin, and the roles that are assumed with what it gives.

use std::fmt;
use std::time::Duration;

use super::Credentials;

/// Where credentials come from. Two that are equal share one entry of the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialSource {
    origin: Origin,
    roles: Vec<Role>,
    /// Where STS is asked; `None` where it never is.
    region: Option<Box<str>>,
    sts_endpoint: Option<Box<str>>,
}

/// What gives the first credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Keys that were written down.
    Static(Credentials),
    /// The first of the others that has any: environment, profile, web identity, container, instance metadata.
    Default,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of `~/.aws/credentials` and `~/.aws/config`; `None` is `AWS_PROFILE`, or `default`.
    Profile(Option<Box<str>>),
    /// The token in `AWS_WEB_IDENTITY_TOKEN_FILE`, for the role in `AWS_ROLE_ARN` (IRSA).
    WebIdentity,
    /// The endpoint that ECS, EKS Pod Identity or Fargate name in the environment.
    Container,
    /// The metadata of an EC2 instance, version 2.
    InstanceMetadata,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: Box<str>,
    /// What the role's owner asks for, where it is another account.
    pub external_id: Option<Box<str>>,
    /// What CloudTrail calls the session.
    pub session_name: Box<str>,
    /// How long the credentials are to be good: 15 minutes to 12 hours. AWS's default is an hour.
    pub duration: Option<Duration>,
}

impl CredentialSource {
    /// The credentials of `origin`, or those of the last of `roles`, each assumed with the credentials before it.
    ///
    /// STS is asked at `sts_endpoint`, or where AWS has it for a region: `AWS_REGION`, `AWS_DEFAULT_REGION`, or
    /// else `region`.
    pub fn new(origin: Origin, roles: Vec<Role>, region: &str, sts_endpoint: Option<&str>) -> Self {
        let asks_sts = match origin {
            Origin::Default | Origin::Profile(_) | Origin::WebIdentity => true,
            Origin::Static(_) | Origin::Environment | Origin::Container | Origin::InstanceMetadata => {
                !roles.is_empty()
            }
        };
        let of_environment = || {
            let names = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
            names.filter_map(|name| std::env::var(name).ok()).find(|region| !region.is_empty())
        };
        let region = asks_sts.then(|| of_environment().unwrap_or_else(|| region.to_owned()).into());
        let sts_endpoint = sts_endpoint.filter(|_| asks_sts).map(Into::into);
        Self { origin, roles, region, sts_endpoint }
    }

    /// What gives the first credentials.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The roles that are assumed with them, in order.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The region in which STS is asked; `None` where it never is.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Where STS is asked, where that is not AWS's own endpoint for the region.
    pub fn sts_endpoint(&self) -> Option<&str> {
        self.sts_endpoint.as_deref()
    }
}

impl Origin {
    /// As users write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::Default => "default",
            Self::Environment => "env",
            Self::Profile(_) => "profile",
            Self::WebIdentity => "web_identity",
            Self::Container => "container",
            Self::InstanceMetadata => "imds",
        }
    }
}

/// For logs: no secret, and of static keys the access key id.
impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.name())?;
        match &self.origin {
            Origin::Profile(Some(name)) => write!(f, " {name}")?,
            Origin::Static(keys) => write!(f, " {}", keys.access_key())?,
            _ => {}
        }
        for role in &self.roles {
            write!(f, " > {}", role.arn)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CredentialSource, Origin, Role};
    use crate::Credentials;

    fn role(arn: &str) -> Role {
        Role { arn: arn.into(), external_id: None, session_name: "s".into(), duration: None }
    }

    fn of(origin: Origin, roles: Vec<Role>, region: &str) -> CredentialSource {
        CredentialSource::new(origin, roles, region, Some("http://sts"))
    }

    #[test]
    fn sources_are_shared_between_regions_where_sts_is_not_asked() {
        let a = of(Origin::InstanceMetadata, vec![], "eu-west-1");
        assert_eq!(a, of(Origin::InstanceMetadata, vec![], "eu-west-2"));
        assert_eq!((a.region(), a.sts_endpoint()), (None, None));
        let b = of(Origin::InstanceMetadata, vec![role("arn:b")], "eu-west-1");
        assert_ne!(a, b);
        assert_eq!(b.sts_endpoint(), Some("http://sts"));
    }

    #[test]
    fn static_keys_are_told_apart_by_their_secret() {
        let keys = |secret: &str| Origin::Static(Credentials::new("AKID", secret, None).unwrap());
        assert_eq!(of(keys("a"), vec![role("r")], "x"), of(keys("a"), vec![role("r")], "x"));
        assert_ne!(of(keys("a"), vec![role("r")], "x"), of(keys("b"), vec![role("r")], "x"));
    }

    #[test]
    fn its_text_has_the_roles_and_no_secret() {
        let keys = Origin::Static(Credentials::new("AKID", "hidden", Some("token")).unwrap());
        assert_eq!(of(keys, vec![role("r1"), role("r2")], "x").to_string(), "static AKID > r1 > r2");
        assert_eq!(of(Origin::Profile(Some("p".into())), vec![], "x").to_string(), "profile p");
    }
}
