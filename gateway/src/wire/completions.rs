//! `/v1/completions`: shapes.
