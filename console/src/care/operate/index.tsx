/** What is done to customers and all below them; the care pages place these. */
export { Balances } from './Balances';
export { NewCustomer } from './NewCustomer';
export { OperationButton } from './OperationDialog';
export { OperationsMenu } from './OperationsMenu';
export type { Entity, Kind } from './operations';
export { PlannedChange } from './PlannedChange';
