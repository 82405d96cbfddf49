//! `lockgate.secrets`: how secrets are kept that resources refer to and managers have.

use std::time::Duration;

use lockgate_secret::Settings;

use super::read::Section;

/// No time is shorter: two calls need a rest between them.
const SHORTEST: Duration = Duration::from_millis(100);

/// Reads what there is of it.
pub(super) fn read(section: &mut Section<'_>, settings: &mut Settings) {
    let times = [
        ("ttl", &mut settings.ttl),
        ("negative_ttl", &mut settings.negative_ttl),
        ("timeout", &mut settings.timeout),
    ];
    for (key, time) in times {
        if let Some(written) = section.get::<Duration>(key) {
            *time = written.max(SHORTEST);
        }
    }
    if let Some(count) = section.get::<u64>("count") {
        settings.count = usize::try_from(count).unwrap_or(usize::MAX);
    }
}
