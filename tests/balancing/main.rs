//! Which node a request goes to: by balancer, by health, and by what DNS says.

mod balancers;
mod discovery;
mod dns;
mod health;
mod passive;
