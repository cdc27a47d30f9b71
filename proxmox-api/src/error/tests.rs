//! What an error says of itself.
