//! The search language of `?search=`: parser and evaluator.
