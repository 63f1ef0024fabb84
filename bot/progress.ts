/** Displays the progress of phases, one after the other. */
export type Progress = { begin(name: string, total: number): { step: () => void; end: () => void } }
