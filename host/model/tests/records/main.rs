//! What is kept: plans, states and journals as JSON, and the one function that folds events.

mod roundtrip;
mod run;
mod sample;
