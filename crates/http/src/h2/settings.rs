//! What one HTTP/2 connection of a client may ask of the gateway.

use std::time::Duration;

/// Limits of HTTP/2 towards clients, each for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Settings {
    /// Requests at a time. Default: 128, as nginx.
    pub max_streams: u32,
    /// Requests that a client may take back (CVE-2023-44487); each one that was answered, and a tenth of a second,
    /// makes good for one. Default: 256.
    pub max_resets: u32,
    /// Streams that this side may have to reset for what the client sent on them (CVE-2025-8671), as long as the
    /// connection lives. Default: 256.
    pub max_errors: u32,
    /// Frames that move no message: `PING`, `SETTINGS`, `PRIORITY`, `RST_STREAM`, `WINDOW_UPDATE` and unknown ones.
    /// Requests and data that go by make good for some, and so does time, 100 a second. Default: 1000.
    pub max_control_frames: u32,
    /// After how long without a sign of a client it is asked for one; a client that gives none in as long is
    /// closed. Default: never.
    pub ping_interval: Option<Duration>,
}

impl Default for Http2Settings {
    fn default() -> Self {
        Self {
            max_streams: 128,
            max_resets: 256,
            max_errors: 256,
            max_control_frames: 1000,
            ping_interval: None,
        }
    }
}
