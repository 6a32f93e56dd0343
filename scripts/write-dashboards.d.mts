/** The committed files, and what each should hold. */
export const files: Record<string, () => string>;
