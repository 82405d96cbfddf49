//! What a process writes, line by line.

use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::Environment;
use crate::log::{LONGEST_LINE, Origin};

impl Environment {
    /// Takes the lines of an output, each for the call that was under way.
    pub(super) async fn listen(self: Rc<Self>, output: impl AsyncRead + Unpin) {
        let mut reader = BufReader::with_capacity(4096, output);
        let mut line = Vec::new();
        // A pipe that cannot be read any more has ended.
        while let Ok(data) = reader.fill_buf().await {
            if data.is_empty() {
                break;
            }
            let end = data.iter().position(|byte| *byte == b'\n');
            let part = &data[..end.unwrap_or(data.len()).min(LONGEST_LINE - line.len())];
            line.extend_from_slice(part);
            let is_whole = end == Some(part.len());
            let used = part.len() + usize::from(is_whole);
            reader.consume(used);
            if is_whole || line.len() >= LONGEST_LINE {
                self.hear(&mut line);
            }
        }
        if !line.is_empty() {
            self.hear(&mut line);
        }
    }

    fn hear(&self, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        self.say(Origin::Function, text.trim_end_matches('\r'));
        line.clear();
    }
}
