"""The figures that podfab is designed for, measured."""
