//! What is live, and what was refused and why.

use http::StatusCode;
use serde_json::{Value, json};

use crate::Admin;
use crate::envelope::Reply;

/// `GET /status`: the newest revision in the store, the one that is live on this node, and every resource that
/// could not be made live; how often was compiled since the start, and what is wrong with the store.
pub(crate) fn show(admin: &Admin) -> Reply {
    let newest = admin.store.watch().borrow().revision;
    let applied = admin.applied.borrow().clone();
    let refused = applied.refused.iter().map(|refused| {
        json!({
            "key": refused.kind.key(&refused.id),
            "modifiedIndex": refused.modified.0,
            "reason": refused.reason,
        })
    });
    let mut body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": newest.0,
        "live": applied.revision.0,
        "refused": refused.collect::<Vec<Value>>(),
        "compilations": applied.compilations,
    });
    if let Some(trouble) = &admin.store.condition().borrow().trouble {
        body["store"] = json!({"trouble": trouble});
    }
    Reply::json(StatusCode::OK, &body).of_resource()
}
