"""In from other formats and out to them: ONNX, Keras, torch."""
