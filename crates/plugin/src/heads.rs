//! The heads of answers, kept where a log shows fields of theirs: no other request pays for it.

use lockgate_http::{Headers, Response, name};

use crate::RequestContext;

/// Fields of answers.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Of the node that answered.
    pub(crate) upstream: Option<Headers>,
    /// Of what the client is sent.
    pub(crate) sent: Option<Headers>,
}

impl RequestContext {
    /// Says that heads of answers are to be kept: a log shows fields of theirs.
    pub fn keep_heads(&mut self) {
        self.content.keeps_heads = true;
    }

    /// Keeps the head of a node's answer, where that is wanted.
    #[inline]
    pub fn keep_upstream_head(&mut self, response: &Response) {
        if self.content.keeps_heads {
            self.content.heads_mut().upstream = Some(copy(response));
        }
    }

    /// Keeps the head that goes to the client, where that is wanted.
    #[inline]
    pub fn keep_sent_head(&mut self, response: &Response) {
        if self.content.keeps_heads {
            self.content.heads_mut().sent = Some(copy(response));
        }
    }

    pub(crate) fn heads(&self) -> Option<&Heads> {
        self.content.heads()
    }
}

fn copy(response: &Response) -> Headers {
    let mut headers = Headers::new();
    // Of what was in a head of bounded size there is room for all.
    for (_, name, value) in response.headers.iter() {
        let _ = headers.append(name, value);
    }
    // Framing is taken off where a head is read.
    if let Some(length) = response.body.length().filter(|_| !response.headers.contains(name::CONTENT_LENGTH))
    {
        let _ = headers.append(name::CONTENT_LENGTH, length.to_string().as_bytes());
    }
    headers
}
