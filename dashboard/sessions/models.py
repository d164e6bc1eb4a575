"""The models of every room of the area, where Django looks for them."""
