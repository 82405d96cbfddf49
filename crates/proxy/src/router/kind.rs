//! The orders in which routes are looked up, by the names that `apisix.router.http` has for them.

/// How routes are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// `radixtree_host_uri`: the host decides before the path does. The default.
    #[default]
    HostUri,
    /// `radixtree_uri`: the path decides, then the priority; a host is one condition among others. A `:` in a
    /// path means itself.
    Uri,
    /// `radixtree_uri_with_parameter`: as `radixtree_uri`, with `:name` for a segment.
    UriWithParameter,
}

impl Kind {
    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "radixtree_host_uri" => Self::HostUri,
            "radixtree_uri" => Self::Uri,
            "radixtree_uri_with_parameter" => Self::UriWithParameter,
            _ => return None,
        })
    }

    /// Whether rules for a host come before those for all.
    pub(super) fn orders_by_host(self) -> bool {
        self == Self::HostUri
    }

    /// Whether `:name` stands for a segment.
    pub(super) fn has_parameters(self) -> bool {
        self != Self::Uri
    }
}
