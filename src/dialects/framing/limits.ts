// Room dialects, framing: how large one frame may get before its stream is given up on.

/** Cap of one frame in bytes unless told otherwise: 16 MiB, for inline images. */
export const defaultMaxEventBytes = 16_777_216;
