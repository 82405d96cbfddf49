//! Who calls: keys, credentials, consumers, their groups, and the plugins that come with them.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod plugins;
