//! adapter-store
