"""The ONNX file: its contract, how it is made, how it is sampled."""
