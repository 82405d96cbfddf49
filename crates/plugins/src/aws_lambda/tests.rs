//! Tests of the plugin itself; the gateway around it is tested from outside.
