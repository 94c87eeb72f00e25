"""“A Solvable Model of Neural Scaling Laws”, section by section."""
