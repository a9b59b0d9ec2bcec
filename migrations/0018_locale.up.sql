alter table users
  add column locale varchar(8) character set ascii collate ascii_bin null comment 'language of mails, as a tag; null: nobody has said';
