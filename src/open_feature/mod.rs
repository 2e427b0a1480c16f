//! Rules from OpenFeature flags.
