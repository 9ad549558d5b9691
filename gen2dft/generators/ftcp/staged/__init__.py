"""The generator's own variant `gen2dft`: an encoder of blocks, and a decoder that decides in
stages.
"""
