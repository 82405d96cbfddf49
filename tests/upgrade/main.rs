//! One gateway takes over from another: nobody is refused, nothing is lost, and a failure changes nothing.

mod failures;
mod functions;
mod generations;
mod h2_load;
mod handing_over;
mod load;
mod standalone;
mod tls_load;
mod tunnels;
