//! Runnable examples; each starts its own emulator unless told otherwise.
