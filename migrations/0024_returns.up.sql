create table returns (
  id          bigint unsigned not null auto_increment,
  sign        bigint unsigned not null comment 'chosen at random: tells this return from any other, also if numbers are used again',
  returned_at datetime(3)     not null comment 'when everybody was logged out because of it',
  primary key (id),
  unique key uq_return_sign (sign)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'each time this database had lost commits of which somebody knew';
