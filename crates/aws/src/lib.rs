//! How to talk to AWS: signatures that it accepts, and what the name of an endpoint says.
//!
//! Nothing here knows the gateway. A [`credentials::CredentialCache`] finds credentials wherever AWS people keep
//! them, and renews them before they expire. A [`Signer`] signs requests for one service by Signature Version 4,
//! or for many regions at once by Version 4a, in headers or in the query; [`Endpoint::of_host`] finds region and
//! service in a host name. A [`Refusal`] is what AWS says of a signature it does not take, and a [`Skew`] what is
//! known of its clock. Three rules make a signature hold for every request a client can send:
//!
//! 1. **Send what was signed.** Path and query are given to the signer byte for byte as they will stand in the
//!    request line. Pass both through [`wire_path`] and [`wire_query`] first: they write the few things on which
//!    verifiers disagree (dot segments at the end, a raw `+`) so that no one can.
//! 2. **Sign little.** Only headers that nobody on the way touches: [`is_signed`] says which. The signer adds
//!    the date, the hash of the body and the session token itself, whatever the given headers say.
//! 3. **Sign last**, after every rewrite, and again for each attempt.
//!
//! ```
//! use lockgate_aws::{Credentials, Payload, Signable, Signer, wire_path, wire_query};
//!
//! # fn main() -> Result<(), lockgate_aws::SigningError> {
//! let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)?;
//! let signer = Signer::new("us-east-1", "execute-api")?;
//! let request = Signable {
//!     method: "GET",
//!     path: &wire_path("/default/caf%C3%A9/"),
//!     query: Some(&wire_query("name=a+b&flag")),
//!     headers: [("host", b"x9w6.execute-api.us-east-1.amazonaws.com".as_slice())],
//!     payload: Payload::Bytes(b""),
//! };
//! let signed = signer.sign(&credentials, 1_440_938_160, request)?;
//! for (name, value) in signed.headers() {
//!     // Set these four (three without a session token) on the request, in place of any it has.
//!     assert!(!name.is_empty() && !value.is_empty());
//! }
//! # Ok(())
//! # }
//! ```

pub mod credentials;
pub mod endpoint;
pub mod refusal;
pub mod signing;
pub mod skew;

pub use credentials::Credentials;
pub use endpoint::Endpoint;
pub use refusal::Refusal;
pub use signing::{
    Claim, Payload, Signable, Signed, Signer, SigningError, VerifyError, is_signed, wire_path, wire_query,
};
pub use skew::Skew;
