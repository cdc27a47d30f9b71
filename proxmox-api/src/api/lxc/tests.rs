//! What containers become on the wire and from it.
