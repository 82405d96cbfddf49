//! `deployment.admin.admin_api_version`: what answers of the Admin API look like.

use lockgate_admin::ApiVersion;

use super::read::{Place, Readable};

impl Readable for ApiVersion {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("v2") => Some(Self::V2),
            Some("v3") => Some(Self::V3),
            _ => place.refuse("v2 or v3"),
        }
    }
}
