//! What outlives a configuration: one value of a type, for all plugins, as long as the program runs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by their type, made when they are first asked for: caches and clients that plugins share, and that a
/// change of the configuration must not lose.
#[derive(Default)]
pub struct Shared {
    values: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    /// The value of this type. `make` must not ask for another one.
    pub fn get<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = values.get(&TypeId::of::<T>()).cloned();
        kept.and_then(|value| value.downcast().ok()).unwrap_or_else(|| {
            let value = Arc::new(make());
            values.insert(TypeId::of::<T>(), value.clone());
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Shared;

    #[test]
    fn a_value_is_made_once() {
        let shared = Shared::default();
        let first = shared.get(|| String::from("first"));
        assert!(Arc::ptr_eq(&first, &shared.get(|| String::from("second"))));
        assert_eq!(*shared.get(|| 7_u8), 7);
    }
}
