//! Ambiguous and hostile HTTP/1 messages, one table: what the gateway answers, and every byte it lets through.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod strictness;
#[cfg(test)]
mod table;
