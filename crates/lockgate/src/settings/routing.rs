//! `apisix.router` and its kin: how requests find their route.

use lockgate_proxy::Routing;
use lockgate_proxy::router::Kind;

use super::read::{Place, Readable, Section};

/// Bodies are read into memory: no more than this may be asked for, in mebibytes.
const MOST_POST_ARGS: u64 = 1024;

/// GraphQL documents are no longer than this, in bytes.
const LONGEST_GRAPHQL: u64 = MOST_POST_ARGS << 20;

impl Readable for Kind {
    fn read(place: &Place<'_>) -> Option<Self> {
        let kind = place.text().and_then(Self::parse);
        kind.or_else(|| place.refuse("radixtree_host_uri, radixtree_uri or radixtree_uri_with_parameter"))
    }
}

/// Reads what stands under `apisix`.
pub(super) fn read(apisix: &mut Section<'_>, routing: &mut Routing) {
    apisix.within("router", |router| {
        router.set("http", &mut routing.router);
        if let Some(place) = router.place("ssl")
            && place.text() != Some("radixtree_sni")
        {
            place.refuse::<()>("radixtree_sni");
        }
    });
    apisix.set("delete_uri_tail_slash", &mut routing.paths.delete_tail_slash);
    apisix.set("normalize_uri_like_servlet", &mut routing.paths.like_servlet);
    apisix.set("match_uri_encoded_slash", &mut routing.paths.keep_encoded_slash);
    if let Some(place) = apisix.place("max_post_args_readable_size") {
        match place.number() {
            Some(size @ 1..=MOST_POST_ARGS) => routing.content.post_args = size << 20,
            _ => drop(place.refuse::<()>(format!("a number of MiB from 1 to {MOST_POST_ARGS}"))),
        }
    }
}

/// Reads `graphql`.
pub(super) fn read_graphql(graphql: &mut Section<'_>, routing: &mut Routing) {
    if let Some(place) = graphql.place("max_size") {
        match place.number() {
            Some(size @ 1..=LONGEST_GRAPHQL) => routing.content.graphql = size,
            _ => drop(place.refuse::<()>(format!("a number of bytes from 1 to {LONGEST_GRAPHQL}"))),
        }
    }
}
