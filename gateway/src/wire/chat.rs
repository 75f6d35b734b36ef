//! `/v1/chat`: shapes.
