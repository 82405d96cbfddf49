//! Sets of methods: one bit each, so that a route is compared with one instruction.

use http::Method;

/// A set of methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodSet(u16);

/// A method that routes do not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("method {0} is not one of GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS, CONNECT, TRACE, PURGE")]
pub struct UnknownMethod(String);

impl MethodSet {
    /// The methods of these names.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownMethod> {
        let mut set = Self::default();
        for name in names {
            let only = Method::from_bytes(name.as_bytes()).map(|method| Self::only(&method));
            match only {
                Ok(only) if !only.is_empty() => set.0 |= only.0,
                _ => return Err(UnknownMethod(name.to_owned())),
            }
        }
        Ok(set)
    }

    /// This method alone; none at all for one that routes do not know.
    pub fn only(method: &Method) -> Self {
        Self(match *method {
            Method::GET => 1,
            Method::POST => 1 << 1,
            Method::PUT => 1 << 2,
            Method::DELETE => 1 << 3,
            Method::PATCH => 1 << 4,
            Method::HEAD => 1 << 5,
            Method::OPTIONS => 1 << 6,
            Method::CONNECT => 1 << 7,
            Method::TRACE => 1 << 8,
            _ if method.as_str() == "PURGE" => 1 << 9,
            _ => 0,
        })
    }

    /// Whether there is no method in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the two have a method in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_was_made_of() {
        let set = MethodSet::parse(["GET", "PURGE"]).unwrap();
        assert!(set.meets(MethodSet::only(&Method::GET)));
        assert!(set.meets(MethodSet::only(&Method::from_bytes(b"PURGE").unwrap())));
        assert!(!set.meets(MethodSet::only(&Method::POST)));
        assert!(!set.meets(MethodSet::only(&Method::from_bytes(b"BREW").unwrap())));
    }

    #[test]
    fn a_method_that_routes_do_not_know_is_refused() {
        for name in ["BREW", "get", "", "G T"] {
            assert_eq!(MethodSet::parse(["GET", name]), Err(UnknownMethod(name.to_owned())));
        }
    }
}
