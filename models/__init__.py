"""Pure quantitative functions: floats and arrays in and out; no input or output, no engine."""
